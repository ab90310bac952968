"""The lab's second floor: a real language model on word problems, through the same code as the arena."""
