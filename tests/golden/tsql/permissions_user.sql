SELECT ORIGINAL_LOGIN() AS login_name, USER_NAME() AS user_name
