"""The portal: pages, templates and the front end."""
