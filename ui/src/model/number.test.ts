import { expect, it } from "vitest";
import { formatAmount } from "./number";

it.each([
  [0, "0"],
  [0.4, "0.4"],
  [1, "1"],
  [1234, "1,234"],
  [1234.5, "1,235"],
])("writes the amount %d as %s", (value, text) => {
  expect(formatAmount(value)).toBe(text);
});
