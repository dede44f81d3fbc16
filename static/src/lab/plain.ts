// Parts of objects as plain text. Pure.
import { inOneLine } from "./paths";

export type Row = [name: string, value: string];
export type Json = Record<string, unknown>;

export const dict = (value: unknown): Json => (value && typeof value === "object" && !Array.isArray(value) ? (value as Json) : {});
export const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
export const text = (value: unknown): string => (value === undefined || value === null || value === "" ? "" : inOneLine(value));
/** key=value, key=value */
export const pairs = (value: unknown): string => Object.entries(dict(value)).map(([key, one]) => `${key}=${inOneLine(one)}`).join(", ");
/** Words, however they are given. */
export const words = (value: unknown): string => (Array.isArray(value) ? value.map((one) => text(one)).join(", ") : text(value));
