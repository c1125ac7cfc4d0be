// Sets the colour scheme before the first paint, from the same localStorage key as Flower's page:
// "light", "dark", or absent for the system's. Its own file, because the CSP forbids inline scripts.
(() => {
  let stored = null;
  try {
    stored = localStorage.getItem("flower-theme");
  } catch {
    // storage is blocked: follow the system
  }
  const dark =
    stored === "dark" || (stored !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
