import { Button } from "@mantine/core";
import { useMemo, useState } from "react";
import { layOut } from "../../model/repr";
import classes from "./Printed.module.css";

/** Lines and characters shown before a value is folded. */
const FOLD_LINES = 14;
const FOLD_CHARACTERS = 1_400;

/** A printed Python value, laid out for reading; a long one is folded. `raw` keeps its own line breaks. */
export function Printed(props: { text: string; raw?: boolean; foldLines?: number }) {
  const { text, raw = false, foldLines = FOLD_LINES } = props;
  const [isOpen, setOpen] = useState(false);
  const pieces = useMemo(() => (raw ? [{ kind: "plain" as const, text }] : layOut(text)), [text, raw]);
  const laidOut = useMemo(() => pieces.map((piece) => piece.text).join(""), [pieces]);
  const lines = laidOut.split("\n").length;
  const isLong = lines > foldLines + 4 || laidOut.length > FOLD_CHARACTERS * (raw ? 4 : 1);
  return (
    <div className={classes.block}>
      <pre
        className={classes.code}
        data-folded={(isLong && !isOpen) || undefined}
        style={isLong && !isOpen ? { maxHeight: `${foldLines * 1.55}em` } : undefined}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keyboard
        tabIndex={0}
      >
        {pieces.map((piece, index) =>
          piece.kind === "plain" ? (
            piece.text
          ) : (
            // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of one text never move
            <span key={index} className={classes[piece.kind]}>
              {piece.text}
            </span>
          ),
        )}
      </pre>
      {isLong ? (
        <Button variant="subtle" size="compact-sm" className={classes.fold} onClick={() => setOpen(!isOpen)}>
          {isOpen
            ? "Show less"
            : `Show all (${lines > foldLines ? `${lines} lines` : `${text.length} characters`})`}
        </Button>
      ) : null}
    </div>
  );
}
