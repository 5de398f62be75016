"""Networks: cells, recurrent stacks and what is built of them."""
