"""What a run that drives an application tells about the application and its pools."""
