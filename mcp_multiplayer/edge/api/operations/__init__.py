"""The operations of the contract: ``table`` lists them, the others carry them out."""
