import type { ReactNode } from "react";
import classes from "./AppFrame.module.css";
import { Logo } from "./Logo";

/** The frame of every screen: skip link, header, banners, the page itself, footer. */
export function AppFrame(props: {
  home: (content: ReactNode, className?: string) => ReactNode;
  nav: ReactNode;
  tools: ReactNode;
  banners: ReactNode;
  version: string;
  children: ReactNode;
}) {
  return (
    <div className={classes.frame}>
      <a className={classes.skip} href="#main">
        Skip to content
      </a>
      <header className={classes.header}>
        {props.home(
          <>
            <Logo />
            <span className={classes.name}>Umbel</span>
          </>,
          classes.brand,
        )}
        <nav className={classes.nav} aria-label="Main">
          {props.nav}
        </nav>
        <div className={classes.tools}>{props.tools}</div>
      </header>
      {props.banners}
      <main id="main" className={classes.main} tabIndex={-1}>
        {props.children}
      </main>
      <footer className={classes.footer}>
        <span>Umbel {props.version}</span>
        <span className={classes.keys}>
          <kbd>?</kbd> keyboard shortcuts
        </span>
      </footer>
    </div>
  );
}
