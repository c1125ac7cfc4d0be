import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { makeAuditRow } from "../../test/factories/commands";
import { renderInPage } from "../../test/render";
import { AuditList } from "./AuditList";

it("tells who, what, of what, with what, what came of it, and from where", async () => {
  const rows = [
    makeAuditRow({ silent: ["celery@one"], outcome: "silent" }),
    makeAuditRow({ id: 2, who: null, action: "pool_grow", target: "celery@one", parameters: { n: 2 } }),
    makeAuditRow({
      id: 3,
      action: "rate_limit",
      target: "tests.add",
      outcome: "refused",
      detail: "not sent: x",
    }),
  ];
  await renderInPage(<AuditList rows={rows} />);
  const [, first, second, third] = screen.getAllByRole("row");
  expect(first).toHaveTextContent(/ann127.0.0.1Revoke11111111.*terminate=false, signal=SIGTERMno answer/);
  expect(second).toHaveTextContent("no login127.0.0.1Grow poolcelery@onen=2confirmed");
  expect(third).toHaveTextContent("refusednot sent: x");
  expect(screen.getByRole("link", { name: "tests.add" })).toHaveAttribute("href", "/tasks?name=tests.add");
});
