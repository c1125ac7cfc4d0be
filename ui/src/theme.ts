import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from "@mantine/core";

/** Mantine takes its look from styles/tokens.css: this file only says which token feeds which variable. */
const accent: MantineColorsTuple = [
  "#e6f5f7",
  "#cfe8ec",
  "#a3d3db",
  "#73bcc8",
  "#4da7b6",
  "#3198a9",
  "#1b7e90",
  "#17687a",
  "#115564",
  "#08424f",
];

/** Greys of Mantine's own dark widgets, matched to the dark tokens. */
const dark: MantineColorsTuple = [
  "#e3e8e3",
  "#c3cbc4",
  "#9ca79f",
  "#7a857d",
  "#414a43",
  "#323933",
  "#1e2420",
  "#191d1a",
  "#151916",
  "#121513",
];

export const theme = createTheme({
  primaryColor: "accent",
  primaryShade: { light: 7, dark: 4 },
  autoContrast: true,
  colors: { accent, dark },
  fontFamily: "var(--font-text)",
  fontFamilyMonospace: "var(--font-mono)",
  defaultRadius: "var(--radius)",
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem" },
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Tooltip: { defaultProps: { openDelay: 250, withArrow: true, multiline: true, maw: 340 } },
    Menu: { defaultProps: { shadow: "md" } },
    Popover: { defaultProps: { shadow: "md" } },
  },
});

const shared = {
  "--mantine-color-body": "var(--surface)",
  "--mantine-color-text": "var(--text)",
  "--mantine-color-dimmed": "var(--text-2)",
  "--mantine-color-placeholder": "var(--text-2)",
  "--mantine-color-anchor": "var(--accent)",
  "--mantine-color-default": "var(--surface)",
  "--mantine-color-default-hover": "var(--surface-2)",
  "--mantine-color-default-color": "var(--text)",
  "--mantine-color-default-border": "var(--line-strong)",
  "--mantine-color-error": "var(--failure)",
};

export const cssVariablesResolver: CSSVariablesResolver = () => ({
  variables: {},
  light: shared,
  dark: shared,
});
