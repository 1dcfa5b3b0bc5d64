"""The API in several processes of one machine, beside one process with the workers."""
