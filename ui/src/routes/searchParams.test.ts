import { expect, it } from "vitest";
import { paceOf } from "./searchParams";

it.each([
  ["5", 5],
  ["0", 0],
  ["0.2", 1],
  ["1e9", 86_400],
  ["-1", null],
  ["soon", null],
  [undefined, null],
])("reads autorefresh=%s as %s", (text, pace) => {
  expect(paceOf(text)).toBe(pace);
});
