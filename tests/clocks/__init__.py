"""Other clocks for the tests: `make test-clocks` lets each test see the moment at which a day, a month, a year ends."""
