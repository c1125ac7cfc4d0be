/** One message of a server-sent event stream. */
export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

/**
 * Splits a byte stream into server-sent events (WHATWG HTML, 9.2.6). EventSource itself is not used because it
 * can neither resume with `Last-Event-ID` after the tab was hidden nor tell a refused login from a lost network.
 *
 * `heard` is called for whatever arrives, comments (the server's sign of life) included.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  heard: () => void = () => undefined,
): AsyncGenerator<ServerEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let message: ServerEvent = { id: "", event: "message", data: "" };
  let lines: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      const parts = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = parts.pop() ?? "";
      for (const line of parts) {
        if (line === "") {
          if (lines.length > 0) yield { ...message, data: lines.join("\n") };
          message = { id: message.id, event: "message", data: "" };
          lines = [];
          continue;
        }
        const [, field, text] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
        if (field === "data") lines.push(text ?? "");
        else if (field === "event") message.event = text ?? "";
        else if (field === "id") message.id = text ?? "";
      }
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
