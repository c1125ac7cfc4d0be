import { CloseButton, Group, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { type ReactNode, useEffect, useRef, useState } from "react";

/** ms of rest before a search is made. */
const DELAY_MS = 300;

/** A search field: tells of its text when typing rests, takes text from the URL, "/" focuses it. */
export function SearchBox(props: {
  value: string;
  onChange: (text: string) => void;
  placeholder: string;
  label: string;
  error?: ReactNode;
  help?: ReactNode;
  className?: string;
}) {
  const { value, onChange } = props;
  const [text, setText] = useState(value);
  const told = useRef(value);
  const tell = useDebouncedCallback((next: string) => {
    told.current = next;
    onChange(next);
  }, DELAY_MS);
  useEffect(() => {
    if (value !== told.current) {
      told.current = value;
      setText(value);
    }
  }, [value]);
  const change = (next: string) => {
    setText(next);
    tell(next);
  };
  return (
    <TextInput
      className={props.className}
      value={text}
      onChange={(event) => change(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") tell.flush();
        if (event.key === "Escape") event.currentTarget.blur();
      }}
      aria-label={props.label}
      placeholder={props.placeholder}
      error={props.error}
      leftSection={<IconSearch size={16} />}
      rightSectionWidth={props.help ? 66 : 38}
      rightSection={
        <Group gap={6} wrap="nowrap">
          {text ? (
            <CloseButton size="sm" aria-label="Clear the search" onClick={() => change("")} />
          ) : (
            <kbd>/</kbd>
          )}
          {props.help}
        </Group>
      }
      data-search
      spellCheck={false}
      autoComplete="off"
      size="sm"
    />
  );
}
