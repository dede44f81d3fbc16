// The author's REST API.
import { ApiError } from "./api";

/** Asks /api/author/PATH. Refusals become an ApiError with the server's words. */
export async function call<T>(method: "GET" | "PUT" | "POST" | "DELETE", path: string, body?: unknown): Promise<T> {
  const token = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? "";
  const headers: Record<string, string> = { Accept: "application/json", "X-CSRFToken": token };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(`/api/author/${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const found = (await answer.json().catch(() => null)) as { error?: { code: string; message: string } } | null;
  if (!answer.ok) throw new ApiError(found?.error?.message ?? answer.statusText, found?.error?.code ?? "", answer.status);
  return found as T;
}
