import "@fontsource-variable/inter/wght.css";
import "@mantine/core/styles.css";
import "./styles/tokens.css";
import "./styles/tones.css";
import "./styles/base.css";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { flowerColorScheme } from "./components/shell/colorScheme";
import { makeRouter } from "./router";
import { ApiError } from "./services/client";
import { NONCE } from "./services/page";
import { cssVariablesResolver, theme } from "./theme";

// react-remove-scroll, which Mantine's dialogs use, asks this package for the nonce of its <style>.
if (NONCE) setNonce(NONCE);

const cache = new QueryClient({
  defaultOptions: {
    queries: {
      // The event stream tells when something is old.
      staleTime: 5_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) =>
        failures < 2 && error instanceof ApiError && (error.status === 0 || error.status === 503),
    },
  },
});
const router = makeRouter();
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");

createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariablesResolver}
      defaultColorScheme="auto"
      colorSchemeManager={flowerColorScheme()}
      getStyleNonce={() => NONCE}
    >
      <QueryClientProvider client={cache}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
