"""A permissioned network: who its validators are, the files each of them starts from, and how it fares."""
