import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

/** Links to the page's own screens, so that no other component spells a path. */
interface LinkProps {
  children?: ReactNode;
  className?: string;
  title?: string;
}

export function TaskLink(props: LinkProps & { uuid: string }) {
  const { uuid, children, ...rest } = props;
  return (
    <Link to="/task/$" params={{ _splat: uuid }} {...rest}>
      {children ?? uuid}
    </Link>
  );
}

export function WorkerLink(props: LinkProps & { hostname: string }) {
  const { hostname, children, ...rest } = props;
  return (
    <Link to="/worker/$" params={{ _splat: hostname }} {...rest}>
      {children ?? hostname}
    </Link>
  );
}

export function QueueLink(props: LinkProps & { name: string }) {
  const { name, children, ...rest } = props;
  return (
    <Link to="/queue/$" params={{ _splat: name }} {...rest}>
      {children ?? name}
    </Link>
  );
}

/** A bulk revocation. */
export function RevocationLink(props: LinkProps & { id: number | string }) {
  const { id, children, ...rest } = props;
  return (
    <Link to="/revocation/$id" params={{ id: String(id) }} {...rest}>
      {children ?? `Job ${id}`}
    </Link>
  );
}

/** The audit, narrowed. */
export function AuditLink(props: LinkProps & { action?: string; target?: string; who?: string }) {
  const { action, target, who, children, ...rest } = props;
  return (
    <Link to="/audit" search={{ action, target, who }} {...rest}>
      {children}
    </Link>
  );
}

/** The tasks page, narrowed. */
export function TasksLink(
  props: LinkProps & { state?: string; worker?: string; name?: string; search?: string },
) {
  const { state, worker, name, search, children, ...rest } = props;
  return (
    <Link to="/tasks" search={{ state, worker, name, search }} {...rest}>
      {children}
    </Link>
  );
}
