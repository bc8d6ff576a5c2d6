"""The side that hands hooks over and believes nothing of what comes back."""
