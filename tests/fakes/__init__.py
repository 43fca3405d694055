"""One public fake a port: real servers on real sockets."""
