"""Read records from files and find the topic each belongs to."""
