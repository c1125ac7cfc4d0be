import { IconMapSearch } from "@tabler/icons-react";
import { Link, useLocation } from "@tanstack/react-router";
import { Message } from "../components/feedback/Message";
import { useTitle } from "../hooks/useTitle";

export function NotFound() {
  const { pathname } = useLocation();
  useTitle("Not found");
  return (
    <Message title="There is no such page" heading="h1" icon={<IconMapSearch size={32} />}>
      <p>
        {pathname === "/broker" ? (
          "This version has no Broker page yet; queue lengths are at api/queues/length."
        ) : (
          <>
            Nothing is at <code>{pathname}</code>.
          </>
        )}
      </p>
      <p>
        Go to the <Link to="/">dashboard</Link> or the <Link to="/tasks">tasks</Link>.
      </p>
    </Message>
  );
}
