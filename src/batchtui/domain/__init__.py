"""What a batch, a request, an outcome and a price are: values without I/O."""
