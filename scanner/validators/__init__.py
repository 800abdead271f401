"""Names of rules' validators → functions. One module for each family."""
