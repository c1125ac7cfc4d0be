import { describe, expect, it } from "vitest";
import { layOut } from "./repr";

const join = (text: string) =>
  layOut(text)
    .map((piece) => piece.text)
    .join("");
const squeezed = (text: string) => text.replace(/\s+/g, "");

const LONG =
  "{'order': 17, 'customer': {'name': 'Ada Lovelace', 'tags': ['vip', 'beta']}, 'note': 'a, b (c) {d}', 'paid': True}";

describe("layOut", () => {
  it("leaves a short value on its line", () => {
    expect(join("(1, 'two', None)")).toBe("(1, 'two', None)");
  });

  it("gives a long value one line an item and changes nothing else", () => {
    const text = join(LONG);
    expect(text.split("\n")[1]).toBe("  'order': 17,");
    expect(text).toContain("'note': 'a, b (c) {d}'");
    expect(squeezed(text)).toBe(squeezed(LONG));
  });

  it("shows a value that was cut off as it is", () => {
    const cut = `${LONG.slice(0, 100)}...`;
    expect(layOut(cut)).toEqual([{ kind: "plain", text: cut }]);
  });

  it.each([
    "<Order object at 0x7f>",
    "'it\\'s'",
    "b'\\xff'",
    'datetime.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo(key="UTC"))',
    "[1, 2",
    "",
    "'unterminated",
    "\ud800 lone",
  ])("keeps every character of %s", (text) => expect(join(text)).toBe(text));

  it("tells keys from strings", () => {
    const kinds = layOut("{'a': 'b'}").map(({ kind, text }) => [kind, text]);
    expect(kinds).toContainEqual(["key", "'a'"]);
    expect(kinds).toContainEqual(["string", "'b'"]);
  });
});
