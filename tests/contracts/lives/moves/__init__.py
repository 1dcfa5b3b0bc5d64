"""What people and institutions do, honestly and as whoever stole one of their keys would."""
