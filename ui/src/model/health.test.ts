import { expect, it } from "vitest";
import { makeStatus } from "../test/factories";
import { healthOf } from "./health";

it("is live only when the stream is open and the monitor hears the broker", () => {
  expect(healthOf("live", makeStatus()).word).toBe("Live");
  expect(healthOf("live", makeStatus({ state: "blind", ready: false })).word).toBe("Blind");
  expect(healthOf("live", makeStatus({ ready: false })).level).toBe("bad");
});

it("tells a page without answers from a monitor without a broker", () => {
  expect(healthOf("down", makeStatus()).word).toBe("No answer");
  expect(healthOf("live", makeStatus({ state: "connecting", ready: false })).word).toBe("No broker");
  expect(healthOf("polling", makeStatus()).word).toBe("Reconnecting");
});

it("does not call a page live that was asked to stand still", () => {
  expect(healthOf("held", makeStatus()).word).toBe("Paused");
  expect(healthOf("paced", makeStatus()).word).toBe("Live, slowed");
  expect(healthOf("paced", makeStatus({ state: "blind", ready: false })).word).toBe("Blind");
});

it("passes the monitor's own reason on", () => {
  const health = healthOf("live", makeStatus({ state: "stopped", error: "It was killed." }));
  expect(health.sentence).toContain("It was killed.");
});
