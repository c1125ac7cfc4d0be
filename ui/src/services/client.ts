import { PREFIX } from "./page";

/** An answer of the API that is no success; `status` 0 means that no answer came at all. */
export class ApiError extends Error {
  readonly status: number;
  /** Name of the parameter at fault. */
  readonly parameter: string | null;

  constructor(status: number, message: string, parameter: string | null = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.parameter = parameter;
  }
}

export type Params = Record<string, string | number | undefined>;

export function apiUrl(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== "") query.set(key, String(value));
  }
  const text = query.toString();
  return `${PREFIX}/api/v1/${path}${text ? `?${text}` : ""}`;
}

/** Reads the problem details of a failed answer, whatever stands between us and the server made of it. */
export async function errorFrom(response: Response): Promise<ApiError> {
  const fallback = response.statusText || `HTTP ${response.status}`;
  try {
    const problem = await response.json();
    return new ApiError(
      response.status,
      problem.detail || problem.title || fallback,
      problem.parameter ?? null,
    );
  } catch {
    return new ApiError(response.status, fallback);
  }
}

/** GET of one resource. Throws `ApiError`. */
export async function fetchJson<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  return askFor<T>(apiUrl(path, params), { signal, headers: { Accept: "application/json" } });
}

/** POST of a command, whose body may be JSON already. Throws `ApiError`. */
export async function postJson<T>(path: string, body: object | string): Promise<T> {
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return askFor<T>(apiUrl(path), { method: "POST", headers, body: text });
}

async function askFor<T>(url: string, options: RequestInit): Promise<T> {
  const { signal } = options;
  let response: Response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "The monitor does not answer.");
  }
  if (!response.ok) throw await errorFrom(response);
  return (await response.json()) as T;
}
