"""The clauses of the contract: pure functions over exchanges."""
