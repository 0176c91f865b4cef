"""One module for each screen: it reads what the screen shows, and carries out what its forms ask for."""
