/** Whether a task can be sent once more, and with what: see the API's `RetryOut`. */
export interface RetryPlan {
  uuid: string;
  name: string | null;
  ended: boolean;
  /** It can be sent with the arguments that it received. */
  possible: boolean;
  source: "message" | "result" | null;
  /** Why it can't be sent as it was; "" where it can. */
  reason: string;
  /** What it received, printed, cut and with secrets masked. */
  args: string | null;
  kwargs: string | null;
  serializer: string | null;
  queue: string | null;
  queueFrom: "message" | "event" | "result" | "routes" | null;
  priority: number | null;
  headers: string[];
  cautions: string[];
  edit: RetryEdit;
}

/** What fills the form of a retry with edits. */
export interface RetryEdit {
  basis: "message" | "result" | "printed" | null;
  /** JSON texts. */
  args: string | null;
  kwargs: string | null;
  reason: string;
}

const SOURCES = {
  message: "its message, which is still at the broker",
  result: "its result, which keeps them (result_extended)",
};

/** Where the arguments come from, in words. */
export function sourceWords(source: "message" | "result"): string {
  return SOURCES[source];
}

const QUEUE_BASES = {
  message: "the queue of its message",
  event: "as its task-sent event said",
  result: "as its result says",
  routes: "by the app's routes",
};

/** What says that it is this queue. */
export function queueWords(from: RetryPlan["queueFrom"]): string {
  return from === null ? "" : QUEUE_BASES[from];
}

/** What is wrong with a JSON text; "" where nothing is. */
export function jsonProblem(text: string, kind: "array" | "object"): string {
  if (!text.trim()) return kind === "array" ? "An array is needed" : "An object is needed";
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return error instanceof Error ? `Not JSON: ${error.message}` : "Not JSON";
  }
  if (kind === "array") return Array.isArray(value) ? "" : 'Not an array: [1, "two"]';
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? ""
    : 'Not an object: {"name": 1}';
}

/** JSON laid out for editing: only spaces and line breaks are added, so that numbers stay as they are. */
export function layOutJson(text: string): string {
  if (text.length <= 60) return text;
  let depth = 0;
  let isInString = false;
  let out = "";
  for (let index = 0; index < text.length; index += 1) {
    const letter = text.charAt(index);
    if (isInString) {
      out += letter;
      if (letter === "\\") {
        index += 1;
        out += text.charAt(index);
      } else if (letter === '"') isInString = false;
      continue;
    }
    if (letter === '"') isInString = true;
    if ("[{".includes(letter)) {
      const close = letter === "[" ? "]" : "}";
      if (text.charAt(index + 1) === close) {
        out += letter + close;
        index += 1;
        continue;
      }
      depth += 1;
      out += `${letter}\n${"  ".repeat(depth)}`;
    } else if ("]}".includes(letter)) {
      depth -= 1;
      out += `\n${"  ".repeat(depth)}${letter}`;
    } else if (letter === ",") {
      out += `,\n${"  ".repeat(depth)}`;
      if (text.charAt(index + 1) === " ") index += 1;
    } else out += letter;
  }
  return out;
}
