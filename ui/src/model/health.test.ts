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

it("says by how much it is behind, as long as that is true", () => {
  const now = makeStatus().now;
  const behind = (lag: number, lastEvent: number | null = now) =>
    healthOf("live", makeStatus({ lag, lastEvent })).word;
  expect(behind(1.9)).toBe("Live");
  expect(behind(7.4)).toBe("Behind by 7 s");
  expect(behind(300)).toBe("Behind by 5 min");
  expect(behind(7.4, now - 30)).toBe("Live");
  expect(behind(7.4, null)).toBe("Live");
  expect(healthOf("live", makeStatus({ lag: 7, state: "blind", ready: false })).word).toBe("Blind");
});

it("passes the monitor's own reason on", () => {
  const health = healthOf("live", makeStatus({ state: "stopped", error: "It was killed." }));
  expect(health.sentence).toContain("It was killed.");
});
