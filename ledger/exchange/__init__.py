"""What an exchange between two programmes gives, at their fixed pars."""
