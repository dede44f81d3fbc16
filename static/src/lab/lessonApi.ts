// The lesson's part of a lab's REST API.
import { ApiError } from "./api";

/** Asks /api/labs/ID/lesson/PATH. Refusals become an ApiError with the server's words. `keepalive`: though the page may be left. */
export async function ask<T>(method: "GET" | "POST" | "DELETE", path: string, body?: unknown, keepalive = false): Promise<T> {
  const id = document.body.dataset["labId"] ?? "";
  const token = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? "";
  const headers: Record<string, string> = { Accept: "application/json", "X-CSRFToken": token };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(`/api/labs/${encodeURIComponent(id)}/lesson/${path}`, { method, headers, keepalive, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const found = (await answer.json().catch(() => null)) as { error?: { code: string; message: string } } | null;
  if (!answer.ok) throw new ApiError(found?.error?.message ?? answer.statusText, found?.error?.code ?? "", answer.status);
  return found as T;
}
