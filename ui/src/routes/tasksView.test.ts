import { expect, it } from "vitest";
import { parseSearch, stringifySearch } from "./searchParams";
import { pageOf, queryOf, validateSearch } from "./tasksView";

it("reads Flower's page parameters", () => {
  const search = validateSearch(parseSearch("?state=FAILURE&worker=celery%40one&name=shop.charge"));
  expect(queryOf(search)).toMatchObject({ state: "FAILURE", worker: "celery@one", name: "shop.charge" });
});

it("gives the same view back from the URL it wrote", () => {
  const text = "?state=RETRY&search=kwargs%3Aorder%3D17&sort=-runtime&limit=50&cursor=abc&page=2";
  const search = validateSearch(parseSearch(text));
  expect(validateSearch(parseSearch(stringifySearch({ ...search })))).toEqual(search);
  expect(pageOf(search)).toBe(2);
});

it("falls back to the default for a sort or page size that does not exist", () => {
  expect(queryOf({ sort: "-password", limit: "7" })).toMatchObject({ sort: "-received", limit: 30 });
});

it("keeps texts that look like JSON as texts", () => {
  expect(parseSearch("?search=%7B%22a%22%3A1%7D&name=123")).toEqual({ search: '{"a":1}', name: "123" });
});
