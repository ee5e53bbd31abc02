"""What neurons do: switched off or amplified, against random ones, measured on translation and on text."""
