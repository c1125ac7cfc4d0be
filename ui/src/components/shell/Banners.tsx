import { CloseButton } from "@mantine/core";
import { IconAlertTriangle, IconInfoCircle } from "@tabler/icons-react";
import { type Gap, gapReason, type Notice } from "../../model/status";
import { Time, ZoneName } from "../time/Time";
import classes from "./Banners.module.css";

/** What the reader must know before believing the page: gaps in the events, and the server's own notices. */
export function Banners(props: { gaps: Gap[]; notices: Notice[]; onDismiss: (gap: Gap) => void }) {
  if (props.gaps.length === 0 && props.notices.length === 0) return null;
  return (
    <div className={classes.stack} role="status">
      {props.notices.map((notice) => (
        <p key={notice.text} className={classes.banner} data-level={notice.level}>
          {notice.level === "info" ? <IconInfoCircle size={17} /> : <IconAlertTriangle size={17} />}
          <span>{notice.text}</span>
        </p>
      ))}
      {props.gaps.map((gap) => (
        <p key={gap.id} className={classes.banner} data-level={gap.end === null ? "error" : "warning"}>
          <IconAlertTriangle size={17} />
          <GapSentence gap={gap} />
          {gap.end === null ? null : (
            <CloseButton size="sm" aria-label="Dismiss" onClick={() => props.onDismiss(gap)} />
          )}
        </p>
      ))}
    </div>
  );
}

function GapSentence(props: { gap: Gap }) {
  const { gap } = props;
  if (gap.end === null) {
    return (
      <span>
        <b>Events are being missed</b> since <Time value={gap.start} style="absolute" full /> (<ZoneName />
        ): {gapReason(gap)}. Tasks and counts may be behind until it ends.
      </span>
    );
  }
  return (
    <span>
      <b>Events may be missing</b> from <Time value={gap.start} style="absolute" full /> to{" "}
      <Time value={gap.end} style="absolute" full /> (<ZoneName />
      ): {gapReason(gap)}. Tasks of that time may show an older state.
    </span>
  );
}
