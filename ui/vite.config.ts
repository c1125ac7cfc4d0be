/// <reference types="vitest/config" />
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { precompress } from "./scripts/precompress";
import { stampSources } from "./scripts/stamp";

const THEME_BOOT = fileURLToPath(new URL("./src/theme-boot.js", import.meta.url));

/** Puts the colour scheme script first in <head> as a file of its own: the CSP forbids inline scripts. */
function themeBoot(): Plugin {
  return {
    name: "umbel-theme-boot",
    apply: "build",
    buildStart() {
      this.emitFile({ type: "asset", name: "theme-boot.js", source: readFileSync(THEME_BOOT, "utf8") });
    },
    transformIndexHtml: {
      order: "post",
      handler(_html, { bundle = {} }) {
        const file = Object.values(bundle).find(({ fileName }) => fileName.includes("theme-boot"));
        if (!file) throw new Error("theme-boot.js was not emitted");
        return [{ tag: "script", attrs: { src: `./${file.fileName}` }, injectTo: "head-prepend" }];
      },
    },
  };
}

/** In development the page is served without a prefix and without a nonce. */
function devPlaceholders(): Plugin {
  return {
    name: "umbel-dev-placeholders",
    apply: "serve",
    transformIndexHtml: (html) => html.replace("__UMBEL_PREFIX__", "").replace("__UMBEL_NONCE__", ""),
  };
}

export default defineConfig({
  base: "./",
  plugins: [react(), themeBoot(), devPlaceholders(), precompress(), stampSources()],
  build: {
    outDir: process.env.UMBEL_UI_OUT ?? "../src/umbel/ui_dist",
    emptyOutDir: true,
    target: "es2022",
    chunkSizeWarningLimit: 900,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": process.env.UMBEL_DEV_SERVER ?? "http://127.0.0.1:5556" } },
  test: {
    environment: "jsdom",
    setupFiles: ["./src/test/setup.ts"],
    css: false,
    testTimeout: 30_000,
    restoreMocks: true,
  },
});
