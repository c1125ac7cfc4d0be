import { CloseButton, Modal, type ModalProps } from "@mantine/core";
import classes from "./Dialog.module.css";

/** A dialog whose title is no banner of the page, which Mantine's own header would be. */
export function Dialog(props: ModalProps) {
  const { title, children, ...rest } = props;
  return (
    <Modal {...rest} withCloseButton={false}>
      <div className={classes.head}>
        <Modal.Title className={classes.title}>{title}</Modal.Title>
        <CloseButton aria-label="Close" onClick={props.onClose} />
      </div>
      {children}
    </Modal>
  );
}
