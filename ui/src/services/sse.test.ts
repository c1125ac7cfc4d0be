import { expect, it } from "vitest";
import { readEvents, type ServerEvent } from "./sse";

async function eventsOf(...chunks: string[]): Promise<ServerEvent[]> {
  const bytes = new TextEncoder();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(bytes.encode(chunk) as Uint8Array<ArrayBuffer>);
      controller.close();
    },
  });
  const events: ServerEvent[] = [];
  for await (const event of readEvents(body)) events.push(event);
  return events;
}

it("reads events however the stream is cut", async () => {
  const whole = 'id: 7\nevent: delta\ndata: {"a": 1}\n\nid: 8\nevent: delta\ndata: {}\n\n';
  const expected = [
    { id: "7", event: "delta", data: '{"a": 1}' },
    { id: "8", event: "delta", data: "{}" },
  ];
  expect(await eventsOf(whole)).toEqual(expected);
  expect(await eventsOf(...whole)).toEqual(expected);
});

it("reads lines that end with CR LF, cut between the two", async () => {
  expect(await eventsOf("data: a\r", "\n\r", "\n")).toEqual([{ id: "", event: "message", data: "a" }]);
});

it("passes over comments and an event that was not finished", async () => {
  expect(await eventsOf(": keep-alive\n\ndata: x\n\ndata: y")).toEqual([
    { id: "", event: "message", data: "x" },
  ]);
});
