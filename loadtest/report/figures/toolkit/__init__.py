"""What the figures share: canvas, colours, panels and labels."""
