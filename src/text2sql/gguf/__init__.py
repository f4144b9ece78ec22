"""GGUF: conversion from Hugging Face, quantization, checks, and what the deployed file costs."""
