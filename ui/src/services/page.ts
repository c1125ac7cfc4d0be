/** What the server wrote into index.html: the path prefix and the nonce for styles. */
function metaContent(name: string): string {
  const content = document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
  return content.startsWith("__UMBEL_") ? "" : content;
}

/** Path prefix without a slash at the end: "" or "/flower". */
export const PREFIX = metaContent("umbel-prefix").replace(/\/+$/, "");

export const NONCE = metaContent("umbel-nonce");
