"""What becomes of a document whose bytes are to be copied."""

COPIED, THERE, DAMAGED, DELETED = "copied", "there", "damaged", "deleted"
