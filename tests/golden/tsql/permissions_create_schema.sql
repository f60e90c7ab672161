CREATE SCHEMA [odd ]]schema] AUTHORIZATION [a ]]user]
