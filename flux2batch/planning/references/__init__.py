"""References: pictures that go with a request, from the job's text to the bytes that are sent."""
