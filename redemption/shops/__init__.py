"""How a shop comes to be paid with points: its application, its registration on the chain, its payee."""
