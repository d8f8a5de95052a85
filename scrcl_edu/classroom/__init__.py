"""What an instructor needs beside the lessons: notebooks graded in whatever state they come back."""
