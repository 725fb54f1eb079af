"""The JSON that Lambda shows to functions and destinations. Pure."""
