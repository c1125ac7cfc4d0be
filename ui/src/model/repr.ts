/**
 * Lays out a printed Python value for reading. The text is only split, never evaluated; joining the pieces
 * without the added line breaks and indents gives the text back.
 */

export type PieceKind = "string" | "number" | "word" | "key" | "plain";

export interface Piece {
  kind: PieceKind;
  text: string;
}

/** Longer than this, a value gets one line an item. Characters. */
const ONE_LINE = 88;
/** Beyond this nothing is laid out: the text is shown as it is. Characters. */
const LONGEST = 200_000;

const TOKEN =
  /((?:[rbuf]{0,2})(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))|(-?\b\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?\b)|\b(None|True|False)\b|([([{])|([)\]}])|(,\s*)|([^'"\d([{)\]},]+|.)/giy;

/** The value as coloured pieces with line breaks, or one plain piece where its brackets do not match (cut off). */
export function layOut(text: string): Piece[] {
  if (text.length > LONGEST) return [{ kind: "plain", text }];
  const tokens = tokenize(text);
  if (!tokens || !isBalanced(tokens)) return [{ kind: "plain", text }];
  const pieces = text.length > ONE_LINE ? broken(tokens) : tokens.map(({ kind, text }) => ({ kind, text }));
  return markKeys(pieces);
}

type Role = "open" | "close" | "comma" | "other";
interface Token extends Piece {
  role: Role;
}

function tokenize(text: string): Token[] | null {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (!match) return null;
    const [whole, string, number, word, open, close, comma] = match;
    const kind: PieceKind = string ? "string" : number ? "number" : word ? "word" : "plain";
    const role: Role = open ? "open" : close ? "close" : comma ? "comma" : "other";
    tokens.push({ kind, role, text: whole });
  }
  return tokens;
}

const CLOSES: Record<string, string> = { "(": ")", "[": "]", "{": "}" };

function isBalanced(tokens: Token[]): boolean {
  const expected: string[] = [];
  for (const { role, text } of tokens) {
    if (role === "open") expected.push(CLOSES[text] ?? "");
    else if (role === "close" && expected.pop() !== text) return false;
  }
  return expected.length === 0;
}

/** Length of the bracketed group that opens at `start`. */
function groupLength(tokens: Token[], start: number): number {
  let depth = 0;
  let length = 0;
  for (let index = start; index < tokens.length; index += 1) {
    const token = tokens[index];
    if (!token) break;
    length += token.text.length;
    if (token.role === "open") depth += 1;
    if (token.role === "close") depth -= 1;
    if (depth === 0) break;
  }
  return length;
}

function broken(tokens: Token[]): Piece[] {
  const pieces: Piece[] = [];
  const opened: boolean[] = [];
  const indent = () => `\n${"  ".repeat(opened.filter(Boolean).length)}`;
  tokens.forEach(({ kind, role, text }, index) => {
    if (role === "open") {
      const breaks = groupLength(tokens, index) > ONE_LINE - 8;
      opened.push(breaks);
      pieces.push({ kind, text: breaks ? text + indent() : text });
    } else if (role === "close") {
      const broke = opened.pop();
      pieces.push({ kind, text: broke ? indent() + text : text });
    } else if (role === "comma" && opened.at(-1)) {
      const isLast = tokens[index + 1]?.role === "close";
      pieces.push({ kind, text: isLast ? "," : `,${indent()}` });
    } else pieces.push({ kind, text });
  });
  return pieces;
}

/** A string before a colon is a key. */
function markKeys(pieces: Piece[]): Piece[] {
  return pieces.map((piece, index) =>
    piece.kind === "string" && pieces[index + 1]?.text.startsWith(":") ? { ...piece, kind: "key" } : piece,
  );
}
