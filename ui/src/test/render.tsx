import { MantineProvider } from "@mantine/core";
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  RouterProvider,
} from "@tanstack/react-router";
import { type RenderResult, render, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { parseSearch, stringifySearch } from "../routes/searchParams";
import { cssVariablesResolver, theme } from "../theme";

/** Draws a component inside the providers that every screen has; links lead to the page's own addresses. */
export async function renderInPage(node: ReactNode): Promise<RenderResult> {
  const rootRoute = createRootRoute();
  const paths = ["/", "/tasks", "/task/$", "/worker/$", "/broker", "/queue/$", "/audit", "/revocation/$id"];
  const routes = paths.map((path) =>
    createRoute({ getParentRoute: () => rootRoute, path, component: () => node }),
  );
  const router = createRouter({
    routeTree: rootRoute.addChildren(routes),
    history: createMemoryHistory({ initialEntries: ["/"] }),
    parseSearch,
    stringifySearch,
  });
  const result = render(
    <MantineProvider theme={theme} cssVariablesResolver={cssVariablesResolver} env="test">
      {/* biome-ignore lint/suspicious/noExplicitAny: a router of its own, not the registered one */}
      <RouterProvider router={router as any} />
      <span data-testid="drawn" />
    </MantineProvider>,
  );
  await screen.findByTestId("drawn");
  await router.load();
  return result;
}
