"""What several processes of a mock have in common, in Redis or Valkey; `namespace.Namespaces` is the same in memory."""
