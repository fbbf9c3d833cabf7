"""Files and folders into documents, documents into passages, passages into a store."""
